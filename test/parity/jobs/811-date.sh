#!/bin/bash
date -u -d @0 '+%F %T %Z'
date -d @0 '+%F %T %Z'
