#!/bin/bash
cat
read -r line || echo "no input"
