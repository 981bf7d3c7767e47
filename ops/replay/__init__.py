"""A recorded session made use of: compared with another, written on a page or as sound; and calls from elsewhere taken in as
sessions. Nothing here prints."""
