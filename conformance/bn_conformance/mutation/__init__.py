"""Mutation testing: does the suite catch the mistakes of the catalogue?"""
