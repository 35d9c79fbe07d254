#!/bin/bash
seq 5 | tee copy.txt | tac
