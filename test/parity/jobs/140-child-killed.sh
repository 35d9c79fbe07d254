#!/bin/bash
sh -c 'kill -KILL $$'
echo "child: $?"
sh -c 'kill -TERM $$'
