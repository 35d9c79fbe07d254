#!/bin/bash
set -e
echo before
ls /no/such/file
echo after
