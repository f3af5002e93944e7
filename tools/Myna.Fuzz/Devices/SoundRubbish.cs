namespace Myna.Fuzz.Devices;

/// <summary>Drives an HDA controller: its rings, its codec and its streams.</summary>
internal sealed class HdaRubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private const ulong Bar = 0xCC00_0000;
    private ulong _corb;

    public override void Stir()
    {
        if (_corb == 0 || Random.Chance(2))
        {
            Board.PutConfig(function, 0x10, 4, (uint)Bar);
            Board.PutConfig(function, 4, 2, 6);
            Board.Store(Bar + 8, 4, 0);
            Board.Store(Bar + 8, 4, 1);
            Board.Store(Bar + 0x20, 4, 0xC000_00FF);
            _corb = Table(128);
            Board.Store(Bar + 0x40, 8, Random.Chance(97) ? _corb : Random.Integer());
            Board.Store(Bar + 0x50, 8, Random.Chance(97) ? Table(128) : Random.Integer());
            Board.Store(Bar + 0x70, 8, Random.Chance(90) ? Table(128) | 1 : Random.Integer());
            Board.Store(Bar + 0x4A, 2, Random.Chance(90) ? 0 : Random.Next() & 0xFFFF);
            Board.Store(Bar + 0x5A, 2, Random.Next() & 0xFF);
            Board.Store(Bar + 0x4C, 1, 3);
            Board.Store(Bar + 0x5C, 1, 7);
        }
        switch (Random.Below(4))
        {
            case 0:
                ulong at = Board.Load(Bar + 0x48, 2) + 1 & 0xFF;
                Board.Store(_corb + (at * 4), 4, Verb());
                Board.Store(Bar + 0x48, 2, at);
                Board.Store(Bar + 0x5D, 1, 5);
                break;
            case 1:
                Board.Store(Bar + 0x60, 4, Verb());
                Board.Store(Bar + 0x68, 2, 1);
                Board.Load(Bar + 0x64, 4);
                break;
            default:
                Stream(Bar + 0x80 + ((ulong)Random.Below(8) * 0x20));
                break;
        }
    }

    private uint Verb()
    {
        ReadOnlySpan<uint> verbs = [0xF0000, 0xF0000, 0x20000, 0x30000, 0xA0000, 0xB0000, 0x70500, 0x70600, 0x70700, 0x70800, 0xF0200, 0xF0500, 0xF1C00, 0x71C00, 0x7FF00, 0x72000];
        return (uint)Random.Below(Random.Chance(95) ? 7 : 256) << 20 | Random.Pick(verbs) | (uint)Random.Below(0x100) | (Random.Chance(3) ? (uint)Random.Next() : 0);
    }

    private void Stream(ulong registers)
    {
        if (Random.Chance(50))
        {
            Board.Store(registers, 1, Random.Chance(80) ? 0x1Eul : Random.Next() & 0xFF);
            Board.Store(registers + 3, 1, 0x1C);
            Board.Load(registers + 4, 4);
            return;
        }
        Board.Store(registers, 1, 1);
        Board.Store(registers, 1, 0);
        ulong list = Table(128);
        for (ulong i = 0; i < 4; i++)
        {
            Board.Store(list + (i * 16), 8, Buffer());
            Board.Store(list + (i * 16) + 8, 8, Small(0x2000) | (Random.Chance(70) ? 1ul << 32 : 0));
        }
        Board.Store(registers + 0x18, 8, Random.Chance(97) ? list : Random.Integer());
        Board.Store(registers + 8, 4, Random.Chance(90) ? (ulong)Random.Below(0x8000) : Random.Next());
        Board.Store(registers + 0xC, 2, (ulong)Random.Below(Random.Chance(90) ? 4 : 256));
        Board.Store(registers + 0x12, 2, Random.Chance(70) ? 0x11ul : Random.Next() & 0xFFFF);
        Board.Store(registers + 2, 1, (ulong)Random.Below(16) << 4);
        Board.Store(registers, 1, 0x1E);
    }
}
