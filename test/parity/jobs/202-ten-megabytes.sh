#!/bin/bash
seq 1 1400000
