#!/bin/bash
timeout 1 sleep 10
echo "status $?"
