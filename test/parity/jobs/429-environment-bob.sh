#!/bin/bash
#PARITY user bob
env -0 > all.environment
