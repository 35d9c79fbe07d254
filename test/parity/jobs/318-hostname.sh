#!/bin/bash
test "$(hostname)" = "$(uname -n)" && echo "hostname and uname agree"
