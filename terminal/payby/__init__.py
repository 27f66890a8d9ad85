"""PayBy's acquiring API for Python: everything that would go if PayBy went. Imports nothing else of this project.

A payment by QR code::

    async with PayByClient(base_url, partner_id, load_private_key(path), load_public_keys([path])) as payby:
        order = OrderRequest(order_no="A-1", amount=Decimal("20.00"), subject="Parking")
        answer = await payby.place_order(order.biz_content())   # answer.token_url is what the QR code carries
        answer = await payby.get_order("A-1")                   # answer.order.is_paid; answer.body, .sign: the proof

A notification, in any web server: verify the raw bytes first, then read them::

    verify(payby_keys, raw_body, headers.get("sign"))           # raises BadSignature: answer 401
    notification = read_notification(raw_body)                  # raises BadWords: answer 400

For tests without PayBy: ``async with Sandbox(merchant_keys=[key.public_key()]) as sandbox``.

``client``            the calls; ``errors`` what they raise, ``requests`` what goes in, ``messages`` what comes back
``signing``           keys and signatures; ``key_files`` the forms in which keys come
``statement_reader``  the day's files
``sandbox``           a strict look-alike of PayBy
``plain_text``        makes others' texts fit for a log
``transport``, ``connections``, ``rate_limit``, ``server_clock`` and ``strict_json`` are below the client: one call, its
connection, its turn, its time, its JSON.

Nothing is imported here, so that code which only verifies a signature does not load an HTTP client.
"""
