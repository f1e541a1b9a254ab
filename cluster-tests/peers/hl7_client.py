"""python-hl7's synchronous client: sends messages, checks each answer, records the raw bytes."""

import pathlib
import sys

import hl7
from hl7.client import MLLPClient

PORT, COUNT, FOLDER = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])


class Recording(MLLPClient):
    """Keeps what went over the socket, byte for byte."""

    def send(self, data):
        sent.write(data)
        answer = super().send(data)
        received.write(answer)
        return answer


with open(FOLDER / "client-sent.bin", "wb") as sent, open(FOLDER / "client-received.bin", "wb") as received:
    with Recording("127.0.0.1", PORT) as client:
        for number in range(COUNT):
            message = "\r".join(
                [
                    f"MSH|^~\\&|MON|ICU|EHR|HOSP|20261124120000||ORU^R01|M{number}|P|2.5",
                    f"PID|1||{number}||CANARY^PATIENT^{number}",
                    "OBX|1|NM|8867-4^HR||72|/min",
                ]
            ) + "\r"
            answer = client.send_message(message)
            ack = hl7.parse(answer.decode().strip("\x0b\x1c\r"))
            assert str(ack.segment("MSA")[1]) == "AA", f"message {number}: {ack}"
            assert str(ack.segment("MSA")[2]) == f"M{number}", f"message {number}: {ack}"
