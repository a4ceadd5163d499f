"""A proxy that ends TLS, wants a certificate of its own authority from whoever connects, and passes bytes on.

Usage: mutual_tls.py FOLDER LISTEN_PORT TO_PORT

`certificates` makes the authority and the certificates with the openssl program; the server runs until it is ended.
"""

import os
import socket
import ssl
import subprocess
import sys
import threading


def certificates(folder):
    """Makes ca.pem, server.pem, server.key, client.pem and client.key, good for a day."""
    os.makedirs(folder, exist_ok=True)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    openssl("req", "-x509", *new, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    for name, alternative in (("server", "subjectAltName=DNS:localhost"), ("client", "subjectAltName=DNS:client")):
        openssl(
            "req", "-x509", *new, "-subj", f"/CN={name}", "-addext", alternative, "-addext", "basicConstraints=CA:FALSE",
            "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.pem",
        )  # fmt: skip


def pass_on(source, sink):
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        pass
    finally:
        for side in (source, sink):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(folder, port, to_port):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=os.path.join(folder, "ca.pem"))
    context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=serve_one, args=(context, plain, to_port), daemon=True).start()


def serve_one(context, plain, to_port):
    try:
        inside = context.wrap_socket(plain, server_side=True)
        onward = socket.create_connection(("127.0.0.1", to_port))
    except OSError:
        plain.close()
        return
    threading.Thread(target=pass_on, args=(inside, onward), daemon=True).start()
    pass_on(onward, inside)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
