#!/bin/sh
echo "leaving with 2"
exit 2
