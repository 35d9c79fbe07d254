#!/bin/bash
no_such_command --flag
echo "status $?"
no_such_command
