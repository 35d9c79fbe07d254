#!/bin/bash
id -u; id -g; id -G | tr ' ' '\n' | sort -n
