#!/bin/bash
for what in c f n s t; do echo "$what $(ulimit -S -$what)"; done
