#!/bin/bash
exec > mine.log 2>&1
echo "in my own file"
ls /no/such/file
