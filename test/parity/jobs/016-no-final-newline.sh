#!/bin/sh
echo first
echo last without newline