package main

const sysMemfdCreate, sysRenameat2 = 279, 276
