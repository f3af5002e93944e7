namespace Myna.Fuzz.Devices;

/// <summary>One of Intel's gigabit controllers, the 82540EM or the 82574L: rings of descriptors, of which most are well-formed.</summary>
internal sealed class GigabitRubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private const int Entries = 32;
    private readonly ulong _bar = 0xCB00_0000 + ((ulong)function << 17);
    private ulong _transmit, _receive;
    private int _tail;

    public override void Stir()
    {
        if (_transmit == 0 || Random.Chance(1))
            SetUp();
        for (int n = Random.Between(1, 5); n > 0; n--)
        {
            ulong at = _transmit + ((ulong)_tail * 16);
            _tail = (_tail + 1) % Entries;
            Board.Store(at, 8, Random.Chance(90) ? Buffer() : Random.Next());
            // Legacy, context and data descriptors.
            uint extended = Random.Chance(60) ? 1u << 29 | (Random.Chance(40) ? 0 : 1u << 20) : 0;
            uint length = Random.Chance(90) ? (uint)Random.Below(1600) : (uint)Random.Next() & 0xF_FFFF;
            Board.Store(at + 8, 4, length | extended | (Random.Chance(70) ? 1u << 24 : 0) | ((uint)Random.Next() & 0xCE00_0000));
            Board.Store(at + 12, 4, Random.Chance(60) ? (uint)Random.Next() & 0xFF_FF00 : (uint)Random.Next());
        }
        for (int n = Random.Below(4); n > 0; n--)
            Board.Store(_receive + ((ulong)Random.Below(Entries) * 16), 8, Random.Chance(95) ? Buffer() : Random.Integer());
        Board.Store(_bar + 0x3818, 4, Random.Chance(98) ? (ulong)_tail : Random.Next());
        Board.Store(_bar + 0x2818, 4, Random.Chance(95) ? Random.Next() & (Entries - 1) : Random.Next());
        _ = Board.Load(_bar + 0xC0, 4);
    }

    private void SetUp()
    {
        Board.PutConfig(function, 0x10, 4, (uint)_bar);
        Board.PutConfig(function, 4, 2, 6);
        Board.Store(_bar, 4, Random.Chance(80) ? 0x40 : Random.Next());
        (_transmit, _receive, _tail) = (Table(128), Table(128), 0);
        Board.Store(_bar + 0x3800, 8, Random.Chance(98) ? _transmit : Random.Integer());
        Board.Store(_bar + 0x3808, 4, Random.Chance(97) ? Entries * 16 : Random.Next());
        Board.Store(_bar + 0x3810, 4, 0);
        Board.Store(_bar + 0x3818, 4, 0);
        Board.Store(_bar + 0x2800, 8, Random.Chance(98) ? _receive : Random.Integer());
        Board.Store(_bar + 0x2808, 4, Random.Chance(97) ? Entries * 16 : Random.Next());
        Board.Store(_bar + 0x2810, 4, 0);
        Board.Store(_bar + 0x400, 4, Random.Chance(95) ? 0xA : Random.Next());
        Board.Store(_bar + 0x100, 4, Random.Chance(70) ? 0x801Eu : Random.Next() | 2);
        if (Random.Chance(30))
            Board.Store(_bar + 0x5008, 4, Random.Next());
        Board.Store(_bar + 0xD0, 4, Random.Next());
    }
}

/// <summary>An RTL8139.</summary>
internal sealed class Rtl8139Rubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private readonly ulong _bar = 0xCB00_0000 + ((ulong)function << 17);

    public override void Stir()
    {
        if ((Board.Load(_bar + 0x37, 1) & 0xC) != 0xC || Random.Chance(1))
        {
            Board.PutConfig(function, 0x14, 4, (uint)_bar);
            Board.PutConfig(function, 4, 2, 6);
            Board.Store(_bar + 0x30, 4, Random.Chance(97) ? Table(256) : Random.Integer());
            Board.Store(_bar + 0x37, 1, 0xC);
            Board.Store(_bar + 0x44, 4, Random.Chance(60) ? 0xFu : Random.Next());
            Board.Store(_bar + 0x40, 4, Random.Chance(60) ? 0 : Random.Next());
            Board.Store(_bar + 0x3C, 2, Random.Next() & 0xFFFF);
        }
        for (int n = Random.Between(1, 5); n > 0; n--)
        {
            ulong slot = (ulong)Random.Below(4) * 4;
            Board.Store(_bar + 0x20 + slot, 4, Random.Chance(95) ? Buffer() : Random.Integer());
            Board.Store(_bar + 0x10 + slot, 4, Random.Chance(90) ? (ulong)Random.Below(1700) : Random.Next());
        }
        Board.Store(_bar + 0x38, 2, Random.Next() & 0xFFFC);
        Board.Store(_bar + 0x3E, 2, 0xFFFF);
    }
}

/// <summary>The registers of a display: modes that are nearly right, and somebody who looks.</summary>
internal sealed class VgaRubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private const ulong Memory = 0xD000_0000, Registers = 0xCC00_0000;

    public override void Stir()
    {
        if (Random.Chance(3))
        {
            Board.PutConfig(function, 0x10, 4, (uint)Memory);
            Board.PutConfig(function, 0x18, 4, (uint)Registers);
            Board.PutConfig(function, 4, 2, 7);
        }
        switch (Random.Below(4))
        {
            case 0:
                // VBE: size, depth, virtual size, offset, bank.
                ReadOnlySpan<ulong> depths = [4, 8, 15, 16, 24, 32];
                Board.Store(Registers + 0x508, 2, 0);
                Board.Store(Registers + 0x502, 2, Small(2600));
                Board.Store(Registers + 0x504, 2, Small(1700));
                Board.Store(Registers + 0x506, 2, Random.Chance(90) ? Random.Pick(depths) : Random.Next());
                Board.Store(Registers + 0x508, 2, Random.Chance(90) ? 0x41u : Random.Next());
                for (ulong i = 0x50A; i < 0x514; i += 2)
                    Board.Store(Registers + i, 2, Random.Chance(80) ? Small(3000) : Random.Next());
                break;
            case 1:
                // CRTC, sequencer, graphics and attribute controllers.
                Board.Store(Registers + 0x414, 2, (uint)Random.Below(25) | Random.Next() & 0xFF00);
                Board.Store(Registers + 0x404, 2, (uint)Random.Below(5) | Random.Next() & 0xFF00);
                Board.Store(Registers + 0x40E, 2, (uint)Random.Below(9) | Random.Next() & 0xFF00);
                Board.Store(Registers + 0x400, 1, Random.Next() & 0x3F);
                Board.Store(Registers + 0x402, 1, Random.Next() & 0xFF);
                break;
            default:
                for (int n = Random.Below(32); n > 0; n--)
                    Board.Store(Random.Chance(50) ? 0xA_0000 + (ulong)Random.Below(0x2_0000) : Memory + (ulong)Random.Below(1 << 24), 1, Random.Next());
                break;
        }
    }
}

/// <summary>A TPM's FIFO interface (TCG PC Client Platform TPM Profile 1.05, section 6.5).</summary>
internal sealed class TpmRubbish(BoardFuzzer board, Values random) : DriveRubbish(board, random)
{
    public override void Stir()
    {
        ulong locality = 0xFED4_0000 + ((ulong)Random.Below(5) << 12);
        Board.Store(locality, 1, Random.Chance(80) ? 2 : Random.Next() & 0xFF);
        Board.Store(locality + 0x18, 4, Random.Chance(90) ? 0x40 : Random.Next());
        int length = Random.Chance(90) ? Random.Between(10, 40) : Random.Below(5000);
        for (int i = 0; i < length; i++)
            Board.Store(locality + 0x24, 1, i == 4 ? (ulong)length >> 8 : i == 5 ? (ulong)length & 0xFF : i is 2 or 3 ? 0 : Random.Next() & 0xFF);
        Board.Store(locality + 0x18, 4, Random.Chance(90) ? 0x20 : Random.Next());
        for (int i = Random.Below(60); i > 0; i--)
            _ = Board.Load(locality + (Random.Chance(80) ? 0x24u : 0x18), Random.Chance(80) ? 1 : 4);
    }
}
