#!/bin/sh
# What is asked about: no script of anybody, only what the form says of one.
