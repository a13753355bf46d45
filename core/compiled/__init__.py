"""The backtest's desk as machine code: the same source, compiled for this machine where there is a C compiler.

rooms     which modules are compiled, which go along as they are, which both sides share
rewrite   one module's source as the compiler takes it
build     all of them, compiled and put beside the installed packages
load      the compiled backtest where there is one of this very source, else the plain one
"""
