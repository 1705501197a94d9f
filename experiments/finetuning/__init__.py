"""Study: pretrained weights, of which a small part is trained."""
