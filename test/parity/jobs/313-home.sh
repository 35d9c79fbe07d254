#!/bin/bash
cd && pwd
echo "$HOME" ~
test -w "$HOME" && echo "home is writable"
