"""Frequent small words of languages in Latin and Cyrillic script: a few of them in a text tell its language."""

from __future__ import annotations

_LISTS = {
    "en": "so per more first total one two "
    "the a an of and to in is that it for was on are with as be at by this have from or not but what all were "
    "when we there can your which their will if do each how they you he she his her i'm i can't don't it's "
    "would could should about into than then them these those has had been please thank yes no sorry my me our "
    "us",
    "de": "der die das und ist nicht ein eine zu den mit von für auf dem im des sich auch es an werden aus er hat "
    "dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur "
    "bis mehr durch man sein wurde wenn ich wir ihr kann gut ja nein bitte danke schläft haus",
    "fr": "le la les et est de des du un une que qui dans pour pas sur au aux avec ce cette il elle ne se plus par "
    "je vous nous sont mais ou son sa ses leur être avoir fait comme tout bien été aussi d'une c'est n'est "
    "l'on qu'il j'ai très oui non merci bonjour suis êtes",
    "es": "el la los las de que y en un una es por con para no se del al lo como más pero sus le ya o este sí porque "
    "esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno ni "
    "contra fue son está están gracias usted hola",
    "pt": "o a os as de que e do da em um uma para é com não por mais dos das como mas foi ao ele ela se na no seu "
    "sua ou ser quando muito há nos já está eu também só pelo pela até isso entre são você obrigado sim nas "
    "num",
    "it": "il lo la i gli le di che e è un una per non con del della dei delle nel nella sono si da al alla come più "
    "ma anche questo questa se ha ci o su sul sulla dal dalla essere molto perché quando io noi loro grazie "
    "ciao",
    "nl": "de het een en van is in dat op te zijn met voor niet aan er om ook als maar bij dan nog uit door naar "
    "heeft ze hij ik je wij dit die worden wordt kan geen over tot meer hebben was deze wat hun ja nee dank u",
    "sv": "och att det som en är på för av med den till inte har de ett om jag vi kan men från så var också när "
    "eller ska han hon dem detta mycket vid efter finns bara utan tack ja nej du din",
    "da": "og at det er en til på som for af med den ikke de har et der vi kan om men fra så jeg var også når eller "
    "skal han hun dem dette meget ved efter kun uden tak ja nej du din hvad hvor blev",
    "no": "og at det er en til på som for av med den ikke de har et vi kan om men fra så jeg var også når eller skal "
    "han hun dem dette mye ved etter bare uten takk ja nei du din hva hvor ble",
    "fi": "ja on ei se että oli hän mutta joka kun niin kuin myös ovat tai sen ole minä sinä he me te mitä jos vain "
    "tämä nyt voi kiitos olen hyvä sitä ne",
    "pl": "i w na z nie się do to jest że o jak po co tak za od przez dla są ale czy jego już tylko być ten tego "
    "może który która które przy oraz bardzo dziękuję śpi",
    "cs": "a je se na v že to s z do o i jako pro ale by jsem si tak po jeho od které který už jen při nebo být není "
    "jsou byl bylo co já děkuji dobrý",
    "hu": "a az és hogy nem is egy ez van meg csak volt de mint már ha vagy még azt ezt el be ki fel aki ami lesz "
    "kell nagyon köszönöm igen",
    "ro": "și în de la cu pe nu a este că o un mai din care pentru sunt se au fost ce prin dar sau după ca acest "
    "această mulțumesc foarte lui",
    "tr": "ve bir bu da de için ile çok ne o ben sen biz var daha olarak gibi kadar ama değil mi sonra olan en ya "
    "teşekkür evet hayır şu her",
    "id": "yang dan di ini itu dengan untuk tidak dari dalam akan pada juga saya ke karena ada mereka kami kita anda "
    "bisa adalah oleh atau sudah lebih tidur atas terima kasih dapat",
    "vi": "và của là có không được cho một các trong người này với những đã tôi khi để cũng đến về ra như từ bạn "
    "đang thì làm rất nhiều vì con nhưng hay",
    "ru": "и в не на я что он с как это по но они мы она к у же вы за бы от из его её так для если или был есть мне "
    "ты да нет при очень только когда все о",
    "uk": "і в не на я що він з як це по але вони ми вона до у же ви за б від його її так для якщо або був є мені ти "
    "та ні при дуже тільки коли все про й",
    "bg": "и в не на аз че той с как това по но те ние тя към за от му са се да е или беше има мен ти при много само "
    "когато всички ще съм",
}

FUNCTION_WORDS: dict[str, frozenset[str]] = {code: frozenset(words.split()) for code, words in _LISTS.items()}
CYRILLIC = ("ru", "uk", "bg")

# Letters that few languages of the script have; each counts like a function word.
TELLING_LETTERS: dict[str, str] = {
    "de": "ßäöü", "fr": "çœêèàùû", "es": "ñ¿¡", "pt": "ãõç", "sv": "åäö", "da": "æøå", "no": "æøå", "fi": "äö",
    "pl": "łśżźćńąę", "cs": "řěůčšž", "hu": "őű", "ro": "șțăşţ", "tr": "ğışİ", "vi": "ơưđạảấầậắặẹếềệịọốộớờợụủứừựỹ",
    "uk": "іїєґ", "ru": "ыэё", "bg": "ъ",
}  # fmt: skip
