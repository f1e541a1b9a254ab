"""The laboratory's server: answers each HL7 message with an AA, on the port given."""
import socketserver
import sys


class Lab(socketserver.StreamRequestHandler):
    def handle(self):
        message = b""
        while byte := self.rfile.read(1):
            message += byte
            if message.endswith(b"\x1c\r"):
                control_id = message.split(b"|")[9]
                self.wfile.write(b"\x0bMSH|^~\\&|LAB\rMSA|AA|" + control_id + b"\r\x1c\r")
                message = b""


socketserver.ThreadingTCPServer.allow_reuse_address = True
with socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Lab) as server:
    print("listening", flush=True)
    server.serve_forever()
