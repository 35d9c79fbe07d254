package main

const sysMemfdCreate, sysRenameat2 = 319, 316
