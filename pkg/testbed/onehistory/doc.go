// Package onehistory tests that one history is one state, however a shop reports it: in Mainstay's own words, as the records of vendors, with what
// may stand around a record, in arrays and lists, or as files of every syntax, with times of several calendars. The forms are written here, without
// the code that reads them. What the stream, an import, check --sample, and the readers of files of orders (fit, backtest, forecast) make of them is
// compared with each other, and with a recount of the history.
package onehistory
