// The grammar of the .bgw language, edition 1. Block kinds and attributes are not here: they live in the schema table
// (runtime/catalog), so that a new kind needs no new grammar. Lexing is total: what has no meaning becomes ERROR_CHAR or
// UNTERMINATED_STRING, and every error is told by compiler/syntax with its place.
grammar Bgw;

// ---------- parser ----------
// A program is `bgw 1`, then items, separated by line ends or `;`. compiler/syntax cuts it into these statements before
// parsing (at separators outside all brackets), so that a mistake in one never hides those in the next.
statement   : (editionDecl | item) EOF ;

editionDecl : BGW NUMBER ;

item        : importDecl | paramDecl | letDecl | fnDecl | axisDecl
            | requireDecl | targetDecl | blockDecl ;

importDecl  : IMPORT STRING (AS ID)? ;
paramDecl   : PARAM ID COLON type (ASSIGN expr)? (IN expr)? ;
letDecl     : LET ID (COLON type)? ASSIGN expr ;
fnDecl      : FN ID LPAREN nls (fnArg (COMMA nls fnArg)*)? nls RPAREN ARROW type ASSIGN expr ;
fnArg       : ID COLON type ;
axisDecl    : AXIS ID (COLON type)? ASSIGN expr ;
requireDecl : REQUIRE expr (ELSE STRING)? ;
targetDecl  : TARGET ID ASSIGN expr ;

// One generic block rule: kind, name, optional index set, optional base, body.
// Block kinds and their attributes live in the schema table, not in the grammar.
blockDecl   : ID ID indexDecl? (EXTENDS ref)? body ;
indexDecl   : LBRACK nls idxBind (COMMA nls idxBind)* nls RBRACK ;
idxBind     : ID IN ID ;

body        : LBRACE nls (member (terms member)*)? terms? RBRACE ;
member      : attribute | nestedBlock | letDecl | requireDecl ;
attribute   : ID ASSIGN expr ;
nestedBlock : ID ID? indexDecl? body ;

type        : ID (LT type (COMMA type)* GT)? (LBRACK RBRACK)? ;

expr        : <assoc=right> expr CARET expr                    # pow
            | MINUS expr                                       # neg
            | expr op=(STAR | SLASH) expr                      # mul
            | expr op=(PLUS | MINUS) expr                      # add
            | expr RANGE expr (STEP expr)?                     # range
            | expr op=(LT | LE | GT | GE | EQ | NE) expr       # cmp
            | NOT expr                                         # not
            | expr AND expr                                    # and
            | expr OR expr                                     # or
            | IF expr THEN expr ELSE expr                      # cond
            | primary                                          # prim
            ;

primary     : quantity | STRING | TRUE | FALSE | NONE
            | listExpr | mapExpr | ref | LPAREN nls expr nls RPAREN ;

quantity    : NUMBER ID? ;          // "200 K": the juxtaposed ID is looked up among units only

listExpr    : LBRACK nls RBRACK
            | LBRACK nls expr (COMMA nls expr)* COMMA? nls RBRACK
            | LBRACK nls expr FOR ID IN expr (IF expr)? nls RBRACK ;

mapExpr     : LBRACE nls mapEntry (COMMA nls mapEntry)* COMMA? nls RBRACE ;
mapEntry    : ID COLON nls expr ;

// name, index, attribute and call in any order: F[p].at(temperature = 600 K).per_particle
ref         : ID trailer* ;
trailer     : index | DOT ID | LPAREN nls (arg (COMMA nls arg)* COMMA?)? nls RPAREN ;
arg         : ID ASSIGN expr | expr ;

index       : LBRACK nls indexArg (COMMA nls indexArg)* nls RBRACK ;
indexArg    : STAR | ID ASSIGN expr | expr ;

terms       : (NL | SEMI)+ ;
nls         : NL* ;

// ---------- lexer ----------
BGW:'bgw'; IMPORT:'import'; AS:'as'; PARAM:'param'; LET:'let'; FN:'fn'; AXIS:'axis';
REQUIRE:'require'; TARGET:'target'; EXTENDS:'extends'; FOR:'for'; IN:'in'; IF:'if';
THEN:'then'; ELSE:'else'; STEP:'step'; AND:'and'; OR:'or'; NOT:'not';
TRUE:'true'; FALSE:'false'; NONE:'none';

ARROW:'->'; RANGE:'..'; LE:'<='; GE:'>='; EQ:'=='; NE:'!='; ASSIGN:'='; LT:'<'; GT:'>';
PLUS:'+'; MINUS:'-'; STAR:'*'; SLASH:'/'; CARET:'^'; DOT:'.'; COMMA:','; COLON:':'; SEMI:';';
LPAREN:'('; RPAREN:')'; LBRACK:'['; RBRACK:']'; LBRACE:'{'; RBRACE:'}';

NUMBER  : DIGITS ('.' DIGITS)? ([eE] [+-]? DIGITS)? ;
fragment DIGITS : [0-9] ([0-9_]* [0-9])? ;
STRING  : '"' (~["\\\r\n] | '\\' ~[\r\n])* '"' ;
UNTERMINATED_STRING : '"' (~["\\\r\n] | '\\' ~[\r\n])* '\\'? ;
ID      : [\p{L}_] [\p{L}\p{N}_]* ;
NL      : '\r'? '\n' ;
DOC     : '##' ~[\r\n]* -> channel(2) ;      // kept: shown on hover and in the report
COMMENT : '#' ~[\r\n]* -> channel(HIDDEN) ;
WS      : [ \t]+ -> channel(HIDDEN) ;
ERROR_CHAR : . ;
