namespace Myna.Fuzz.Devices;

/// <summary>Drives an SD host controller and its card.</summary>
internal sealed class SdRubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private const ulong Bar = 0xCD00_0000;
    private bool _there;

    public override void Stir()
    {
        if (!_there || Random.Chance(3))
        {
            _there = true;
            Board.PutConfig(function, 0x10, 4, (uint)Bar);
            Board.PutConfig(function, 4, 2, 6);
            Board.Store(Bar + 0x2C, 4, 0x0100_0005);
            Board.Store(Bar + 0x28, 2, 0xF00 | (Random.Next() & 0x1E));
            Board.Store(Bar + 0x34, 4, uint.MaxValue);
            Board.Store(Bar + 0x38, 4, uint.MaxValue);
            Issue(0x0000, 0);
            Issue(0x081A, 0x1AA);
            Issue(0x371A, 0);
            Issue(0x2902, 0x40FF_8000);
            Issue(0x0209, 0);
            Issue(0x031A, 0);
            Issue(0x071B, 0x4567_0000);
        }
        Board.Store(Bar + 0x30, 4, uint.MaxValue);
        switch (Random.Below(6))
        {
            case 0:
                ReadOnlySpan<uint> commands = [0x063A, 0x091A, 0x0C1B, 0x0D1A, 0x101A, 0x171A, 0x201A, 0x211A, 0x261B, 0x371A, 0x0D3A, 0x333A, 0x163A, 0x061A, 0x293A, 0x0F00];
                Issue(Random.Chance(95) ? Random.Pick(commands) : (uint)Random.Next() & 0x3FFB, Random.Chance(60) ? 0x4567_0000 : Random.Chance(80) ? (uint)Random.Below(3000) : (uint)Random.Next());
                break;
            case 1:
                for (int i = 0; i < 128; i++)
                {
                    Board.Load(Bar + 0x20, 4);
                    Board.Store(Bar + 0x20, 4, Random.Next());
                }
                break;
            case 2:
                Board.Store(Bar + (Random.Chance(80) ? 0u : 3u), Random.Chance(80) ? 4 : 1, Buffer());
                break;
            default:
                Data();
                break;
        }
        if (Random.Chance(4))
            Board.Store(Bar + 0x2F, 1, (ulong)Random.Below(8));
    }

    private void Data()
    {
        ulong table = Table(16);
        for (ulong i = 0; i < 4; i++)
        {
            ReadOnlySpan<uint> kinds = [0x21, 0x21, 0x21, 0x31, 0x01, 0x25, 0x23, 0x20];
            uint kind = Random.Pick(kinds);
            Board.Store(table + (i * 8), 8, kind | (ulong)Random.Below(0x4000) << 16 | (kind == 0x31 ? table : Buffer()) << 32);
        }
        Board.Store(Bar + 0x58, 8, Random.Chance(95) ? table : Random.Integer());
        Board.Store(Bar + 0x28, 1, (ulong)Random.Below(4) << 3);
        Board.Store(Bar, 4, Random.Chance(90) ? Buffer() : Random.Next());
        Board.Store(Bar + 4, 4, (Random.Chance(95) ? 512u : (uint)Random.Below(0x1000)) | (uint)Random.Below(8) << 12 | (uint)Random.Below(Random.Chance(90) ? 40 : 0x10000) << 16);
        Board.Store(Bar + 8, 4, Random.Chance(95) ? (ulong)Random.Below(2100) : Random.Next());
        ReadOnlySpan<uint> transfers = [0x113A_0010, 0x123A_0032, 0x123A_0036, 0x183A_0000, 0x193A_0022, 0x193A_0026, 0x123A_0030];
        Board.Store(Bar + 0xC, 4, Random.Pick(transfers) | (Random.Chance(70) ? 1u : 0) | (Random.Chance(3) ? (uint)Random.Next() & 0x3F : 0));
    }

    private void Issue(uint command, uint argument)
    {
        Board.Store(Bar + 8, 4, argument);
        Board.Store(Bar + 0xE, 2, command);
    }
}
