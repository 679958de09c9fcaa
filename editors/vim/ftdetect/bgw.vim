autocmd BufRead,BufNewFile *.bgw setfiletype bgw
