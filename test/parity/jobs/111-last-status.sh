#!/bin/sh
true
false
