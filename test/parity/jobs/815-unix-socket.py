#!/usr/bin/env python3
import socket
a, b = socket.socketpair()
a.send(b"hello"); print(b.recv(10))
server = socket.socket(socket.AF_UNIX); server.bind("here.sock"); print("bound")
import os; os.unlink("here.sock")
