#!/bin/bash
touch 'with space' 'naïve-世界' "quote'd" '-dash' '*star' $'new\nline'
ls -b
