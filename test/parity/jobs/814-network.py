#!/usr/bin/env python3
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept()
client.sendall(b"hello"); client.close()
print(peer.recv(10))
