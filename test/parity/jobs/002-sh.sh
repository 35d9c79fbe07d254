#!/bin/sh
set -- one 'two words'
for word; do echo "[$word]"; done
