using System.Buffers.Binary;
using System.Text;
using Myna.Network.Wire;

namespace Myna.Network.Tests.Tftp;

/// <summary>RFC 1350 and 2347 to 2349, 7440, from the client's side.</summary>
public sealed class TftpServerTests : IDisposable
{
    private const int Read = 1, Write = 2, Data = 3, Ack = 4, Error = 5, OptionAck = 6;

    private static readonly Ipv4Endpoint s_client = new(StackHarness.Guest, 4000), s_server = new(StackHarness.Gateway, 69);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("myna-tftp");
    private readonly StackHarness _net;

    public TftpServerTests()
    {
        Directory.CreateDirectory(Path.Combine(_directory.FullName, "served", "sub"));
        File.WriteAllText(Path.Combine(_directory.FullName, "secret"), "not for guests");
        _net = new StackHarness(new UserNetworkOptions { TftpDirectory = Path.Combine(_directory.FullName, "served"), Restrict = true });
    }

    public void Dispose()
    {
        _net.Dispose();
        _directory.Delete(recursive: true);
    }

    private byte[] Put(string name, int length)
    {
        byte[] content = new byte[length];
        new Random(length).NextBytes(content);
        File.WriteAllBytes(Path.Combine(_directory.FullName, "served", name), content);
        return content;
    }

    private void Send(int opcode, byte[] rest, Ipv4Endpoint? from = null)
        => _net.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Udp, StackHarness.Udp(from ?? s_client, s_server, [0, (byte)opcode, .. rest]));

    private void Request(string text, int opcode = Read) => Send(opcode, Encoding.ASCII.GetBytes(text.Replace('|', '\0')));

    private void Acknowledge(int block) => Send(Ack, [(byte)(block >> 8), (byte)block]);

    private (int Opcode, byte[] Body) Answer()
    {
        (Ipv4Endpoint from, Ipv4Endpoint to, byte[] b) = _net.NextUdp();
        Assert.Equal((s_server, s_client), (from, to));
        return (BinaryPrimitives.ReadUInt16BigEndian(b), b[2..]);
    }

    private (int Block, byte[] Bytes) Block()
    {
        (int opcode, byte[] rest) = Answer();
        Assert.Equal(Data, opcode);
        return (BinaryPrimitives.ReadUInt16BigEndian(rest), rest[2..]);
    }

    private int Fails()
    {
        (int opcode, byte[] rest) = Answer();
        Assert.Equal((Error, 0), (opcode, rest[^1]));
        return BinaryPrimitives.ReadUInt16BigEndian(rest);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(1300)]
    public void A_file_ends_with_a_block_that_is_not_full(int length)
    {
        byte[] content = Put("sub/file", length);
        Request("/sub\\file|octet|");
        List<byte> got = [];
        for (int number = 1; ; number++)
        {
            (int block, byte[] bytes) = Block();
            Assert.Equal(number, block);
            got.AddRange(bytes);
            Acknowledge(block);
            if (bytes.Length < 512)
                break;
        }
        Assert.Equal(content, got);
        _net.Step();
        Assert.Empty(_net.Frames);
        // It has ended: a late acknowledgment belongs to nothing.
        Acknowledge(1);
        Assert.Equal(5, Fails());
    }

    [Fact]
    public void Options_are_acknowledged_before_the_file_goes_out()
    {
        byte[] content = Put("file", 5000);
        Request("file|octet|BlkSize|65464|tsize|0|timeout|3|multicast||windowsize|3|");
        (int opcode, byte[] rest) = Answer();
        Assert.Equal(OptionAck, opcode);
        // 1,500 bytes less the headers of IP, UDP and TFTP.
        Assert.Equal("blksize|1468|tsize|5000|timeout|3|windowsize|3|", Encoding.ASCII.GetString(rest).Replace('\0', '|'));
        Acknowledge(0);
        List<byte> got = [];
        for (int number = 1; number <= 3; number++)
        {
            (int block, byte[] bytes) = Block();
            Assert.Equal((number, 1468), (block, bytes.Length));
            got.AddRange(bytes);
        }
        _net.Step();
        Assert.Empty(_net.Frames);
        // One block arrived: the window goes on behind it.
        Acknowledge(1);
        Assert.Equal([2, 3, 4], new[] { Block().Block, Block().Block, Block().Block });
        Acknowledge(3);
        got.AddRange(Block().Bytes);
        Assert.Equal(content, got);
    }

    [Fact]
    public void What_gets_lost_is_sent_again_until_patience_ends()
    {
        Put("file", 600);
        Request("file|octet|timeout|2|");
        Assert.Equal(OptionAck, Answer().Opcode);
        _net.Now += 1_900_000_000;
        _net.Step();
        Assert.Empty(_net.Frames);
        _net.Now += 200_000_000;
        Assert.Equal(OptionAck, Answer().Opcode);
        Acknowledge(0);
        Assert.Equal(1, Block().Block);
        Acknowledge(1);
        Assert.Equal(2, Block().Block);
        // An old acknowledgment is not answered (the Sorcerer's Apprentice).
        Acknowledge(1);
        _net.Step();
        Assert.Empty(_net.Frames);
        int repeated = 0;
        for (int second = 0; second < 60; second++)
        {
            _net.Now += 1_000_000_000;
            _net.Step();
            repeated += _net.Frames.Count;
            _net.Frames.Clear();
        }
        Assert.Equal(5, repeated);
        Acknowledge(2);
        Assert.Equal(5, Fails());
    }

    [Fact]
    public void Block_numbers_wrap_around()
    {
        byte[] content = Put("file", 8 * 66_000 + 3);
        Request("file|octet|blksize|8|windowsize|64|");
        Assert.Equal(OptionAck, Answer().Opcode);
        Acknowledge(0);
        int at = 0;
        while (at < content.Length)
        {
            (int block, byte[] bytes) = Block();
            Assert.Equal((ushort)(at / 8 + 1), block);
            Assert.Equal(content.AsSpan(at, bytes.Length).ToArray(), bytes);
            at += bytes.Length;
            if (_net.Frames.Count == 0)
                Acknowledge(block);
        }
    }

    [Theory]
    [InlineData("missing|octet|", 1)]
    [InlineData("sub|octet|", 1)]
    [InlineData("../secret|octet|", 2)]
    [InlineData("sub/../../secret|octet|", 2)]
    [InlineData("..\\secret|octet|", 2)]
    [InlineData("|octet|", 2)]
    [InlineData("file|mail|", 4)]
    [InlineData("file|octet", 4)]
    [InlineData("file", 4)]
    public void Refused(string request, int error)
    {
        Put("file", 1);
        Request(request);
        Assert.Equal(error, Fails());
        _net.Step();
        Assert.Empty(_net.Frames);
    }

    [Fact]
    public void Nothing_is_written_and_rubbish_does_no_harm()
    {
        Request("new|octet|", Write);
        Assert.Equal(2, Fails());
        Send(9, [0, 0]);
        Assert.Equal(4, Fails());
        Send(Read, []);
        Send(Error, [0, 0, 0]);
        _net.Step();
        Assert.Empty(_net.Frames);
        Assert.False(File.Exists(Path.Combine(_directory.FullName, "served", "new")));
    }

    [Fact]
    public void Clients_beyond_the_limit_take_the_place_of_the_oldest()
    {
        Put("file", 5000);
        for (ushort port = 5000; port < 5100; port++)
        {
            Send(Read, Encoding.ASCII.GetBytes("file\0octet\0"), s_client with { Port = port });
            _net.Step();
        }
        _net.Frames.Clear();
        Send(Ack, [0, 1], s_client with { Port = 5000 });
        (_, _, byte[] gone) = _net.NextUdp();
        Send(Ack, [0, 1], s_client with { Port = 5099 });
        (_, _, byte[] next) = _net.NextUdp();
        Assert.Equal((Error, Data), (gone[1], next[1]));
    }
}
