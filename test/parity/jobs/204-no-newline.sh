#!/bin/sh
printf 'the last line has no end'
