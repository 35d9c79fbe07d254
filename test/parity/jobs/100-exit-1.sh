#!/bin/sh
echo "leaving with 1"
exit 1
