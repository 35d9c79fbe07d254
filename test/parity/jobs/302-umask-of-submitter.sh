#!/bin/bash
#PARITY env umask 027;
umask
touch plain; mkdir made
