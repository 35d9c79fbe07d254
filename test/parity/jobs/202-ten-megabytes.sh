#!/bin/bash
seq -f 'line%.0f' 1 900000
