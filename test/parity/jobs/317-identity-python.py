#!/usr/bin/env python3
#PARITY needs names
import getpass, os, pwd
print(getpass.getuser(), os.path.expanduser("~"))
print(pwd.getpwuid(os.getuid()).pw_name)
