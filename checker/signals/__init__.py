"""Stage "signals": what a publisher said about a picture. Bytes in, Findings and a Verdict out; nothing is fetched.

    read          wires the readers together: Evidence -> Verdict, and what a crawler asks before each request
    robots        robots.txt: groups, choice of group, Allow and Disallow
    preferences   the AI statements inside robots.txt, and the two value grammars that headers share with it
    headers       Content-Usage, Content-Signal, X-Robots-Tag, payment and licence headers
    html          the tags of a page
    tdmrep        the W3C TDM Reservation Protocol in its three places
    textfiles     ai.txt and trust.txt
    rsl           licence documents, with rsl_document (the XML) and rsl_pointers (where they are named)
    embedded      what a picture file says itself, with containers, boxes, png, blocks, xmp, plus, iim, tiff, rights
    c2pa          C2PA manifests, read by c2pa_reader in a process of its own
    declarations, registries    TDM-AI declarations and what registries are asked and answer; nothing is sent from here
    vectors, vector_files       test vectors for all of these
    robots_tags   the words of robots tags, shared by headers and html
    paths         path patterns, shared by robots, preferences and tdmrep
    statements    closure of one statement, shared by all readers
    verdict       all Findings -> one Verdict

docs/signals.md lists what is read, how it is mapped and what is not read yet.
"""
