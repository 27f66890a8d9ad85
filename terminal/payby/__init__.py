"""PayBy's acquiring API for Python: everything that goes if PayBy goes. Imports nothing else of this project.

A payment by QR code::

    async with PayByClient(base_url, partner_id, load_private_key(path), load_public_keys([path])) as payby:
        order = OrderRequest(order_no="A-1", amount=Decimal("20.00"), subject="Parking")
        answer = await payby.place_order(order.biz_content())   # answer.token_url is what the QR code carries
        answer = await payby.get_order("A-1")                   # answer.order.is_paid; answer.body, .sign: the proof

A notification, in any web server: verify the raw bytes, then read them::

    verify(payby_keys, raw_body, headers.get("sign"))           # raises BadSignature: answer 401
    notification = read_notification(raw_body)                  # raises BadWords: answer 400

Without PayBy, for tests: ``async with Sandbox(merchant_keys=[key.public_key()]) as sandbox``.

``client``      the calls; ``errors`` what they raise, ``requests`` what goes in, ``messages`` what comes back
``signing``     keys, signatures; ``keyfiles`` the forms in which keys come
``statements``  the day's files
``sandbox``     a strict look-alike of PayBy
``plain``       others' texts for a log
``wire``, ``rate``, ``clock`` and ``strict`` stand under the client: one call, its turn, its time, its JSON.

Nothing is imported here, so that who only verifies a signature does not load an HTTP client.
"""
