#!/bin/bash
umask
touch plain; mkdir made
