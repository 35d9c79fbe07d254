#!/bin/bash
env -0 > all.environment
