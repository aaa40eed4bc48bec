#!/bin/bash
set -e
python predict.py
