"""Subscribes to what platforms send only to those who have asked for it, and renews that in time.

At a hub (WebSub) a subscription lapses, so it is asked for again; what is known of it lies in the
table of open broadcasts, by channel. Twitch and Kick keep lists of subscriptions: what is missing
there is made. Of several gateways one has each channel, or each list: the owner of its partition.
"""
