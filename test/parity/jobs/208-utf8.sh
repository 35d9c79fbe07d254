#!/bin/bash
echo "Grüße, 世界, 🚀"
echo "${#HOME}" > /dev/null
