"""Does `baffle diagnose` name what was broken, and is a healthy run left alone?"""
