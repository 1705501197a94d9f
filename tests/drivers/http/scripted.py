"""A gateway that says what a test wants, and certificates for one that is real."""

import datetime
import ipaddress
import json
import socket
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from baffle.drivers.http.refusals import status_of


class Scripted(threading.Thread):
    """Answers one request after another with given bytes; remembers what came.

    Args:
        answers: bytes, or None to hang up without any.
        drip: seconds between two bytes.
    """

    def __init__(self, *answers, drip=0.0):
        super().__init__(daemon=True)
        self.answers, self.drip, self.came = list(answers), drip, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.socket.close()
        self.join(5)

    def run(self):
        self.socket.settimeout(0.05)
        while self.answers and not self.over.is_set():
            try:
                line, _ = self.socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with line:
                line.settimeout(3)
                self._talk(line)

    def _talk(self, line):
        while self.answers and (request := _request(line)):
            self.came.append(request)
            answer = self.answers.pop(0)
            if answer is None:
                return
            try:
                for piece in _pieces(answer, self.drip):
                    line.sendall(piece)
                    if self.drip:
                        self.over.wait(self.drip)
            except OSError:
                return


def _pieces(answer, drip):
    return [answer[n : n + 1] for n in range(len(answer))] if drip else [answer]


def _request(line):
    """Return (head, body) of the next request, None if there is none."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            if not (more := line.recv(65536)):
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        size = next(
            int(row.split(b":")[1])
            for row in head.lower().split(b"\r\n")
            if b"content-length" in row
        )
        while len(body) < size:
            body += line.recv(65536)
    except OSError:
        return None
    return head, body


def said(status, body=b"", *headers):
    """Return a response."""
    rows = [b"HTTP/1.1 %d x" % status, b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(rows)


def no(reason, **more):
    """Return a refusal."""
    return said(status_of(reason), json.dumps({"error": reason, "text": "no", **more}).encode())


def certificates(folder, name="127.0.0.1"):
    """Write authority, certificate and key; returns their paths."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in "12")
    ca = _certificate("authority", ca_key, "authority", ca_key, None)
    own = _certificate(name, key, "authority", ca_key, name)
    paths = [folder / n for n in ("ca.pem", "cert.pem", "key.pem")]
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for path, data in zip(
        paths, (ca.public_bytes(Encoding.PEM), own.public_bytes(Encoding.PEM), pem), strict=True
    ):
        path.write_bytes(data)
    return paths


def _certificate(name, key, issuer, issuer_key, address):
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in (name, issuer)]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if address is None:
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "crl_sign", "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        made = made.add_extension(x509.KeyUsage(key_cert_sign=True, **usage), critical=True)
    else:
        where = x509.IPAddress(ipaddress.ip_address(address))
        made = made.add_extension(x509.SubjectAlternativeName([where]), critical=False)
    return made.sign(issuer_key, hashes.SHA256())
