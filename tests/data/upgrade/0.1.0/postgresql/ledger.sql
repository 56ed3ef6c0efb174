--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: public; Type: SCHEMA; Schema: -; Owner: -
--

-- *not* creating schema, since initdb creates it


--
-- Name: SCHEMA public; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA public IS '';


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: audit; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit (
    node character varying(200) NOT NULL COLLATE pg_catalog."C",
    sequence bigint NOT NULL,
    written_at bigint NOT NULL,
    lines text NOT NULL,
    previous character varying(200) NOT NULL COLLATE pg_catalog."C",
    hash character varying(200) NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: authority; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.authority (
    id bigint NOT NULL,
    name character varying(200) NOT NULL COLLATE pg_catalog."C",
    key_ref character varying(200) NOT NULL COLLATE pg_catalog."C",
    certificate bytea NOT NULL,
    chain bytea NOT NULL
);


--
-- Name: blocked_key; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.blocked_key (
    hash character varying(200) NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: certificate; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.certificate (
    authority bigint NOT NULL,
    serial character varying(200) NOT NULL COLLATE pg_catalog."C",
    profile character varying(200) NOT NULL COLLATE pg_catalog."C",
    requester text NOT NULL,
    not_before bigint NOT NULL,
    not_after bigint NOT NULL,
    shard bigint NOT NULL,
    tbs bytea NOT NULL,
    pipeline character varying(200) NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: certificate_name; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.certificate_name (
    name character varying(300) NOT NULL COLLATE pg_catalog."C",
    authority bigint NOT NULL,
    serial character varying(200) NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: crl; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.crl (
    authority bigint NOT NULL,
    shard bigint NOT NULL,
    number bigint NOT NULL,
    base bigint NOT NULL,
    this_update bigint NOT NULL,
    next_update bigint NOT NULL,
    entries bigint NOT NULL,
    octets bigint NOT NULL,
    hash character varying(200) NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: expiry; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.expiry (
    node character varying(200) NOT NULL COLLATE pg_catalog."C",
    expiry_day bigint NOT NULL,
    amount bigint NOT NULL
);


--
-- Name: lease; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.lease (
    name character varying(200) NOT NULL COLLATE pg_catalog."C",
    holder character varying(200) NOT NULL COLLATE pg_catalog."C",
    epoch bigint NOT NULL,
    renewals bigint NOT NULL,
    writes bigint NOT NULL
);


--
-- Name: record; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.record (
    collection character varying(200) NOT NULL COLLATE pg_catalog."C",
    item character varying(200) NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    expires bigint,
    data text NOT NULL
);


--
-- Name: record_index; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.record_index (
    collection character varying(200) NOT NULL COLLATE pg_catalog."C",
    field character varying(200) NOT NULL COLLATE pg_catalog."C",
    value character varying(200) NOT NULL COLLATE pg_catalog."C",
    item character varying(200) NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: revocation; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.revocation (
    authority bigint NOT NULL,
    shard bigint NOT NULL,
    serial character varying(200) NOT NULL COLLATE pg_catalog."C",
    reason bigint NOT NULL,
    revoked_at bigint NOT NULL,
    invalid_at bigint,
    not_after bigint NOT NULL,
    node character varying(200) NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL
);


--
-- Name: schema_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_version (
    id bigint NOT NULL,
    number bigint NOT NULL
);


--
-- Name: signature; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.signature (
    node character varying(200) NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    authority bigint NOT NULL,
    serial character varying(200) NOT NULL COLLATE pg_catalog."C",
    signed_at bigint NOT NULL,
    octets bytea NOT NULL
);


--
-- Name: writer; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.writer (
    node character varying(200) NOT NULL COLLATE pg_catalog."C",
    number bigint NOT NULL,
    token character varying(200) NOT NULL COLLATE pg_catalog."C"
);


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit VALUES ('main', 1, 1796038047100, '{"time":"2026-11-30T11:27:27.099Z","event":"authority.created","authority":"root","key":"soft:root","spki":"3c4f4dd69f828fdc25f1b22d9009f055509ad9028af7767ca85aca09c72e8a58"}
', '0000000000000000000000000000000000000000000000000000000000000000', '9855f98fce30c11715cf252fc671480df25ff5eefbebab510db4b15f30dcbf9b');
INSERT INTO public.audit VALUES ('main', 2, 1796038047109, '{"time":"2026-11-30T11:27:27.106Z","event":"sign.intent","authority":"root","serial":"0d017c9f1c8fb86183bcfcbc08f424f2bf2f9003","for":"root","tbs":"20c91c6bfb21de5a64f5283117fc52970ad8df27e10c42e1a5d1da62a9d429b1"}
', '9855f98fce30c11715cf252fc671480df25ff5eefbebab510db4b15f30dcbf9b', 'e58f07c77526d75e8df79c46770fea88122b8171e8ba7bdfdafea48e227a9d15');
INSERT INTO public.audit VALUES ('main', 3, 1796038047113, '{"time":"2026-11-30T11:27:27.113Z","event":"signed","authority":"root","serial":"0d017c9f1c8fb86183bcfcbc08f424f2bf2f9003","certificate":"97f95193d0d79af4b48c2700b0c2750d8fb6b7573a2c06a979cf488df3695b60"}
', 'e58f07c77526d75e8df79c46770fea88122b8171e8ba7bdfdafea48e227a9d15', '9551fa4a4678116c10c8a185e60f2712c3b6796d8ea002021503e1a158f5fbbf');
INSERT INTO public.audit VALUES ('main', 4, 1796038047396, '{"time":"2026-11-30T11:27:27.396Z","event":"authority.created","authority":"issuing","key":"soft:issuing","spki":"73dd4153a6e7f49d0768d4822dcf6709b8656cde215082e42e54d2ee86754d26"}
', '9551fa4a4678116c10c8a185e60f2712c3b6796d8ea002021503e1a158f5fbbf', 'db068aa831dc536e86b644340781fccee5a40ed30b7145ed84d59f2e137fbd80');
INSERT INTO public.audit VALUES ('main', 5, 1796038047417, '{"time":"2026-11-30T11:27:27.417Z","event":"sign.intent","authority":"root","serial":"0d017c9fe197938f8b7fdd88b83a8ea6a33817f9","for":"issuing","tbs":"d0782987308984bfcb7e8d2f8d51e5373e86ece58bd0b4a489a9d5ff656d4de6"}
', 'db068aa831dc536e86b644340781fccee5a40ed30b7145ed84d59f2e137fbd80', '8b75b0c9e4418ed4e3480f84c07e78b0d5bbb8e854a3d259aea72f075a702c13');
INSERT INTO public.audit VALUES ('main', 6, 1796038047421, '{"time":"2026-11-30T11:27:27.421Z","event":"signed","authority":"root","serial":"0d017c9fe197938f8b7fdd88b83a8ea6a33817f9","certificate":"6e48756c1034fcf66cf60eaa2bdf783357abfbe8c83c2e121fe6d1fc641231a2"}
', '8b75b0c9e4418ed4e3480f84c07e78b0d5bbb8e854a3d259aea72f075a702c13', 'a4ad8376ddc54b28959c41936f01adba32a428339171ca7e5990403db5cfd91b');
INSERT INTO public.audit VALUES ('main', 7, 1796038048811, '{"time":"2026-11-30T11:27:28.811Z","event":"sign.intent","authority":"issuing","serial":"0d017ca0bef1bb1dc2bafb5397caeb2fcf8b4c54","profile":"web","requester":"listener:public","tbs":"3aa4cf9ec7d98debae776c125fa17d60514d0c8ad9826d38f89bdaa82d15c0b1","call":"start"}
', 'a4ad8376ddc54b28959c41936f01adba32a428339171ca7e5990403db5cfd91b', '54a4c5913bbfade8c9751db2f4e08d5e946901179600dfcf865a1309d6e6291d');
INSERT INTO public.audit VALUES ('main', 8, 1796038048821, '{"time":"2026-11-30T11:27:28.817Z","event":"signed","authority":"issuing","serial":"0d017ca0bef1bb1dc2bafb5397caeb2fcf8b4c54","certificate":"5d596bfe45892637e9ab0ed6516ea322b3a8ba7a45380fa8ce146055f3a41e22","call":"start"}
', '54a4c5913bbfade8c9751db2f4e08d5e946901179600dfcf865a1309d6e6291d', '627012514e3251b6be792565339d62e4db31d84a89e27313b70158202b480a1a');
INSERT INTO public.audit VALUES ('main', 9, 1796038048861, '{"time":"2026-11-30T11:27:28.861Z","event":"started","version":"0.1.0"}
', '627012514e3251b6be792565339d62e4db31d84a89e27313b70158202b480a1a', 'adff5894a5eb4e46865cd040725d8e3bc4ed5118b2dbe239e442e4451f159074');
INSERT INTO public.audit VALUES ('main', 10, 1796038049402, '{"time":"2026-11-30T11:27:29.402Z","event":"crl.intent","authority":"root","number":"1","entries":"0","this_update":"2026-11-30T11:27:29Z","next_update":"2026-12-04T11:27:29Z","call":"z-GU9EQKqO28"}
', 'adff5894a5eb4e46865cd040725d8e3bc4ed5118b2dbe239e442e4451f159074', 'ffb82abe54b13badbfeea7374dbc79e6d23a3a3f4cba66bfca59af5055debd88');
INSERT INTO public.audit VALUES ('main', 11, 1796038049406, '{"time":"2026-11-30T11:27:29.406Z","event":"crl.signed","authority":"root","number":"1","crl":"b574f873309c12c2b7b8af9530a02eca0f214b32e82c34cd66c41a3e94a2b6bd","call":"z-GU9EQKqO28"}
', 'ffb82abe54b13badbfeea7374dbc79e6d23a3a3f4cba66bfca59af5055debd88', 'e0df98ce9ad0bd45418b5d339439f6912818b73d4b28c5e61ac73542498a3620');
INSERT INTO public.audit VALUES ('main', 12, 1796038049455, '{"time":"2026-11-30T11:27:29.454Z","event":"crl.intent","authority":"issuing","number":"1","entries":"0","this_update":"2026-11-30T11:27:29Z","next_update":"2026-12-04T11:27:29Z","call":"z-GU9EQKqO28"}
', 'e0df98ce9ad0bd45418b5d339439f6912818b73d4b28c5e61ac73542498a3620', '912993d549d094a8ccb5a2b433203d241a6f7e55848105695cd7ef2c35dda140');
INSERT INTO public.audit VALUES ('main', 13, 1796038049465, '{"time":"2026-11-30T11:27:29.462Z","event":"crl.signed","authority":"issuing","number":"1","crl":"535b3dbc34ea1b1ee6b733413f913c319df0fa4d5f3b05e9504edb131d56451f","call":"z-GU9EQKqO28"}
', '912993d549d094a8ccb5a2b433203d241a6f7e55848105695cd7ef2c35dda140', '15d505f18462860fd227ce414a60ed891021a02aed74f18b0453893f5e5c79e5');
INSERT INTO public.audit VALUES ('main', 14, 1796038049639, '{"time":"2026-11-30T11:27:29.639Z","event":"sign.intent","authority":"issuing","serial":"0d017ca1fd208f2f15822ccd382674a4d62e9b55","profile":"web","requester":"command:uid:0 (root)","tbs":"3d4e70b450aa0ddfdcc07938bba9e87245bd1f4af9bd48607331764f5110dee4","call":"jsT1tCF5Ic1q"}
', '15d505f18462860fd227ce414a60ed891021a02aed74f18b0453893f5e5c79e5', '3a359111f11fca95ce4f514f14811544a09a341b8ecd8118c2755b97a56c266a');
INSERT INTO public.audit VALUES ('main', 15, 1796038049642, '{"time":"2026-11-30T11:27:29.642Z","event":"signed","authority":"issuing","serial":"0d017ca1fd208f2f15822ccd382674a4d62e9b55","certificate":"7f503b418d53e3e50b73b2f4bedc1db241560c9f3296bb241d099511855b6a2d","call":"jsT1tCF5Ic1q"}
', '3a359111f11fca95ce4f514f14811544a09a341b8ecd8118c2755b97a56c266a', '6f8738fde2f7a98a3384477b4d096748b619ad481c7e9aea4fb76a3fc33ef247');
INSERT INTO public.audit VALUES ('main', 16, 1796038049818, '{"time":"2026-11-30T11:27:29.818Z","event":"sign.intent","authority":"issuing","serial":"0d017ca147df972fee47a8b7932c558d07295a92","profile":"web","requester":"command:uid:0 (root)","tbs":"b82c3b4a61b8efc530008313220c456fab75de6ab75f5190d617a0febd52b0f2","call":"iBXVEXMnxNxN"}
', '6f8738fde2f7a98a3384477b4d096748b619ad481c7e9aea4fb76a3fc33ef247', '206082b630f5d57b74874365bf82178d70d75d2abedf8e9952c604e256865718');
INSERT INTO public.audit VALUES ('main', 17, 1796038049819, '{"time":"2026-11-30T11:27:29.819Z","event":"signed","authority":"issuing","serial":"0d017ca147df972fee47a8b7932c558d07295a92","certificate":"a84d5546e296b33bb1db4b093e6c196d44292a8e06e59730f28af4afed43acb0","call":"iBXVEXMnxNxN"}
', '206082b630f5d57b74874365bf82178d70d75d2abedf8e9952c604e256865718', 'f93657fa8bb0cebaaec1afbad336b269344c4c6b8ef8f2195673bfbe8c1cd0fd');
INSERT INTO public.audit VALUES ('main', 18, 1796038050041, '{"time":"2026-11-30T11:27:30.041Z","event":"sign.intent","authority":"issuing","serial":"0d017ca24a77a973f91776f570db942cdc1cd5e2","profile":"web","requester":"command:uid:0 (root)","tbs":"19381a8392e86cac790efb3f1e372aa7dfa322d604e95f84f32bb421dab49520","call":"D7kvnfyu8I0x"}
', 'f93657fa8bb0cebaaec1afbad336b269344c4c6b8ef8f2195673bfbe8c1cd0fd', '8d0de9fb98b3cb0386f192631e445e065e528d0eef99394415e2d4be6d7c264f');
INSERT INTO public.audit VALUES ('main', 19, 1796038050293, '{"time":"2026-11-30T11:27:30.293Z","event":"signed","authority":"issuing","serial":"0d017ca24a77a973f91776f570db942cdc1cd5e2","certificate":"0e345292a2e4afc13b28e24f32eda25131e61e37c890286acbac50a8d02e720b","call":"D7kvnfyu8I0x"}
', '8d0de9fb98b3cb0386f192631e445e065e528d0eef99394415e2d4be6d7c264f', 'ec5945dfdb607aaa8cbcc71a9daeda6a98d531e666d9e75cb7cbf3847eaae275');
INSERT INTO public.audit VALUES ('main', 20, 1796038050363, '{"time":"2026-11-30T11:27:30.363Z","event":"revoked","authority":"issuing","serial":"0d017ca147df972fee47a8b7932c558d07295a92","reason":"keyCompromise","requester":"command:uid:0 (root)","call":"Vc-nv8D-kiY7"}
', 'ec5945dfdb607aaa8cbcc71a9daeda6a98d531e666d9e75cb7cbf3847eaae275', '4ce5686ce95ea1233be69cc9693eae41296cbe69601c9e6b40817cb27b6b0b99');
INSERT INTO public.audit VALUES ('main', 21, 1796038050521, '{"time":"2026-11-30T11:27:30.521Z","event":"revoked","authority":"issuing","serial":"0d017ca24a77a973f91776f570db942cdc1cd5e2","reason":"certificateHold","requester":"command:uid:0 (root)","call":"sRnKLt0n8xp3"}
', '4ce5686ce95ea1233be69cc9693eae41296cbe69601c9e6b40817cb27b6b0b99', '72cf3572c7189220220d703d1e25e735abd970d545834dd1fbdb8c2514ab1847');
INSERT INTO public.audit VALUES ('main', 22, 1796038050671, '{"time":"2026-11-30T11:27:30.671Z","event":"request.asked","request":"20f4ca56cec5f4071d163e45a6d2cde6","pipeline":"asked","requester":"command:uid:0 (root)","subject":"CN=waiting.example.test waiting.example.test","call":"RuANCXa5vJFp"}
', '72cf3572c7189220220d703d1e25e735abd970d545834dd1fbdb8c2514ab1847', '15b8fe026152558ca00a5aaa3904936e27d3775674293e56ef9980d63d9f7544');
INSERT INTO public.audit VALUES ('main', 23, 1796038050822, '{"time":"2026-11-30T11:27:30.822Z","event":"crl.intent","authority":"issuing","number":"2","entries":"2","this_update":"2026-11-30T11:27:30Z","next_update":"2026-12-04T11:27:30Z","call":"Mqk_HJHR7oDO"}
', '15b8fe026152558ca00a5aaa3904936e27d3775674293e56ef9980d63d9f7544', '003e2497f1f82c9160a992c2e0e10ed0774d0feaeae89f0a95895f01ffac70f8');
INSERT INTO public.audit VALUES ('main', 24, 1796038050826, '{"time":"2026-11-30T11:27:30.826Z","event":"crl.signed","authority":"issuing","number":"2","crl":"8922b605d81fec6c98a13696b1c7cb79969bbb701aa5d9a771860575ec4b8735","call":"Mqk_HJHR7oDO"}
', '003e2497f1f82c9160a992c2e0e10ed0774d0feaeae89f0a95895f01ffac70f8', '807bd42b4cdf713ecc945b72b746ac7b091efa926c191805f4295faca92d36aa');
INSERT INTO public.audit VALUES ('main', 25, 1796038051119, '{"time":"2026-11-30T11:27:31.119Z","event":"operation.intent","operation":"crl.generate","arguments":"{\"authority\":\"issuing\"}","requester":"command:uid:0 (root)","call":"ASSx_VaofK_q"}
', '807bd42b4cdf713ecc945b72b746ac7b091efa926c191805f4295faca92d36aa', 'ab74ca3215b245966b2fde94f6b5cce87ace6839880843a9992fb5dc904310f2');
INSERT INTO public.audit VALUES ('main', 26, 1796038051146, '{"time":"2026-11-30T11:27:31.146Z","event":"crl.intent","authority":"issuing","number":"3","entries":"2","this_update":"2026-11-30T11:27:31Z","next_update":"2026-12-04T11:27:31Z","call":"ASSx_VaofK_q"}
', 'ab74ca3215b245966b2fde94f6b5cce87ace6839880843a9992fb5dc904310f2', 'c17f3d02ae5f3121f2b9c5ccf84b9c7ee3aeec7a6bdc5d7c8a8dc865c9dda533');
INSERT INTO public.audit VALUES ('main', 27, 1796038051149, '{"time":"2026-11-30T11:27:31.149Z","event":"crl.signed","authority":"issuing","number":"3","crl":"6d1b019cecc061345b063e8de6d4b0c9bd4256e07c3261507ec0cfca97a0176a","call":"ASSx_VaofK_q"}
', 'c17f3d02ae5f3121f2b9c5ccf84b9c7ee3aeec7a6bdc5d7c8a8dc865c9dda533', 'd21488e33c49491f1fbfc88e2b2785e3def7b5fdab9eaacb96c56a82b2ca8f64');
INSERT INTO public.audit VALUES ('main', 28, 1796038051161, '{"time":"2026-11-30T11:27:31.161Z","event":"operation.done","operation":"crl.generate","call":"ASSx_VaofK_q"}
', 'd21488e33c49491f1fbfc88e2b2785e3def7b5fdab9eaacb96c56a82b2ca8f64', '757e8f309cf6760b410c143cb8770ab458e6a1823d4c058e17a4e5fd9ec2dc9c');
INSERT INTO public.audit VALUES ('main', 29, 1796038051688, '{"time":"2026-11-30T11:27:31.688Z","event":"stopped"}
', '757e8f309cf6760b410c143cb8770ab458e6a1823d4c058e17a4e5fd9ec2dc9c', 'f065e668c8c69ce868a4986d77c13fcb037a037ba9d960ca55a2444374f16df9');


--
-- Data for Name: authority; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.authority VALUES (1, 'root', 'soft:root', '\x3082017130820118a00302010202140d017c9f1c8fb86183bcfcbc08f424f2bf2f9003300a06082a8648ce3d04030230173115301306035504030c0c5465737420526f6f74204341301e170d3236313133303131323732375a170d3336313132373131323732365a30173115301306035504030c0c5465737420526f6f742043413059301306072a8648ce3d020106082a8648ce3d03010703420004977512cfbbea18425cd875c2633c90ffd902cef9a59b9ccfa9101c94ee8d223cac92343351a7f4ba132eced94465083d5e2d591a62403f192b00c3150ca4354fa3423040300e0603551d0f0101ff040403020106301d0603551d0e04160414b98a1541d7fc8b403e65e25e8e3cfb14f44d6dc5300f0603551d130101ff040530030101ff300a06082a8648ce3d040302034700304402201cab3f876f4016802e4a2f10e8b0ea6c11dd799c8726b19740c9f57e93e64214022071e7f666cfa87d44251782ba56a088be0755cb1b2d5573ec2a013f5e766e349d', '\x');
INSERT INTO public.authority VALUES (2, 'issuing', 'soft:issuing', '\x3082023a308201e0a00302010202140d017c9fe197938f8b7fdd88b83a8ea6a33817f9300a06082a8648ce3d04030230173115301306035504030c0c5465737420526f6f74204341301e170d3236313133303131323732375a170d3336313132373131323732365a301a3118301606035504030c0f546573742049737375696e672043413059301306072a8648ce3d020106082a8648ce3d03010703420004a2409bcfa516d00e0d800bc0fceb00a872f5c789707a575fb11aa40e44057ff2f81444a798fff3875a7cd243f8fbcde6419cebc9d1dfd34abfcfbf49f967fd6ea382010530820101300e0603551d0f0101ff040403020106301d0603551d0e0416041400dddd355c933a1815c829d1f3c27567eb7af8e2301f0603551d23041830168014b98a1541d7fc8b403e65e25e8e3cfb14f44d6dc5300f0603551d130101ff040530030101ff306806082b06010505070101045c305a302706082b06010505073001861b687474703a2f2f3132372e302e302e313a31313738312f6f637370302f06082b060105050730028623687474703a2f2f3132372e302e302e313a31313738312f63726c2f726f6f742e63657230340603551d1f042d302b3029a027a0258623687474703a2f2f3132372e302e302e313a31313738312f63726c2f726f6f742e63726c300a06082a8648ce3d04030203480030450220758284d474e5f61f9e788fb5264e529ee674e53d605340dddad1c07f0a5971be0221009fc6dc08eb222a22dfeff9be3a9f15decc4fc0b7f25fc5f52feebe1d507abd88', '\x');


--
-- Data for Name: blocked_key; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.blocked_key VALUES ('9225fc36519e2526fcdfac8f1a24ceef011f5863444fc3db05dadc0bdb2cdb92');


--
-- Data for Name: certificate; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.certificate VALUES (1, '0d017c9f1c8fb86183bcfcbc08f424f2bf2f9003', 'authority', 'init', 1796038047000, 2111398046000, 0, '\x30820118a00302010202140d017c9f1c8fb86183bcfcbc08f424f2bf2f9003300a06082a8648ce3d04030230173115301306035504030c0c5465737420526f6f74204341301e170d3236313133303131323732375a170d3336313132373131323732365a30173115301306035504030c0c5465737420526f6f742043413059301306072a8648ce3d020106082a8648ce3d03010703420004977512cfbbea18425cd875c2633c90ffd902cef9a59b9ccfa9101c94ee8d223cac92343351a7f4ba132eced94465083d5e2d591a62403f192b00c3150ca4354fa3423040300e0603551d0f0101ff040403020106301d0603551d0e04160414b98a1541d7fc8b403e65e25e8e3cfb14f44d6dc5300f0603551d130101ff040530030101ff', '');
INSERT INTO public.certificate VALUES (1, '0d017c9fe197938f8b7fdd88b83a8ea6a33817f9', 'authority', 'init', 1796038047000, 2111398046000, 0, '\x308201e0a00302010202140d017c9fe197938f8b7fdd88b83a8ea6a33817f9300a06082a8648ce3d04030230173115301306035504030c0c5465737420526f6f74204341301e170d3236313133303131323732375a170d3336313132373131323732365a301a3118301606035504030c0f546573742049737375696e672043413059301306072a8648ce3d020106082a8648ce3d03010703420004a2409bcfa516d00e0d800bc0fceb00a872f5c789707a575fb11aa40e44057ff2f81444a798fff3875a7cd243f8fbcde6419cebc9d1dfd34abfcfbf49f967fd6ea382010530820101300e0603551d0f0101ff040403020106301d0603551d0e0416041400dddd355c933a1815c829d1f3c27567eb7af8e2301f0603551d23041830168014b98a1541d7fc8b403e65e25e8e3cfb14f44d6dc5300f0603551d130101ff040530030101ff306806082b06010505070101045c305a302706082b06010505073001861b687474703a2f2f3132372e302e302e313a31313738312f6f637370302f06082b060105050730028623687474703a2f2f3132372e302e302e313a31313738312f63726c2f726f6f742e63657230340603551d1f042d302b3029a027a0258623687474703a2f2f3132372e302e302e313a31313738312f63726c2f726f6f742e63726c', '');
INSERT INTO public.certificate VALUES (2, '0d017ca0bef1bb1dc2bafb5397caeb2fcf8b4c54', 'web', 'listener:public', 1796038047000, 1803814046000, 0, '\x3082020da00302010202140d017ca0bef1bb1dc2bafb5397caeb2fcf8b4c54300a06082a8648ce3d040302301a3118301606035504030c0f546573742049737375696e67204341301e170d3236313133303131323732375a170d3237303232383131323732365a30143112301006035504030c096c6f63616c686f73743059301306072a8648ce3d020106082a8648ce3d0301070342000412a16c396774c85fdf21736e461c80e8d1c9c55e3214aa68b9accd11fe7f6dd43b75fc45dd0dc2ce878b93c7295b7749e3db5a77b404f0777fc994523cc35584a382013530820131300e0603551d0f0101ff040403020780301d0603551d0e04160414413c18356acbbb2dcb2deafe4587cd8d2cd95a09301f0603551d2304183016801400dddd355c933a1815c829d1f3c27567eb7af8e2301d0603551d250416301406082b0601050507030106082b06010505070302306b06082b06010505070101045f305d302706082b06010505073001861b687474703a2f2f3132372e302e302e313a31313738312f6f637370303206082b060105050730028626687474703a2f2f3132372e302e302e313a31313738312f63726c2f69737375696e672e63657230370603551d1f0430302e302ca02aa0288626687474703a2f2f3132372e302e302e313a31313738312f63726c2f69737375696e672e63726c301a0603551d110413301182096c6f63616c686f737487047f000001', 'web');
INSERT INTO public.certificate VALUES (2, '0d017ca1fd208f2f15822ccd382674a4d62e9b55', 'web', 'command:uid:0 (root)', 1796038047000, 1803814046000, 0, '\x30820217a00302010202140d017ca1fd208f2f15822ccd382674a4d62e9b55300a06082a8648ce3d040302301a3118301606035504030c0f546573742049737375696e67204341301e170d3236313133303131323732375a170d3237303232383131323732365a301c311a301806035504030c11676f6f642e6578616d706c652e746573743059301306072a8648ce3d020106082a8648ce3d030107034200041788f1a6114b4dd739415e0ffe16be6d107dde404bcdf90a0401c02f40e1dad308156c6bbae915da1fb29865a037fe0ce45a99fdc74b4e7e7f0f7e67ee58bd66a382013730820133300e0603551d0f0101ff040403020780301d0603551d0e041604141a94d4d3cab0b8b96a35b3c6b2c35454f5f8b360301f0603551d2304183016801400dddd355c933a1815c829d1f3c27567eb7af8e2301d0603551d250416301406082b0601050507030106082b06010505070302306b06082b06010505070101045f305d302706082b06010505073001861b687474703a2f2f3132372e302e302e313a31313738312f6f637370303206082b060105050730028626687474703a2f2f3132372e302e302e313a31313738312f63726c2f69737375696e672e63657230370603551d1f0430302e302ca02aa0288626687474703a2f2f3132372e302e302e313a31313738312f63726c2f69737375696e672e63726c301c0603551d11041530138211676f6f642e6578616d706c652e74657374', 'web');
INSERT INTO public.certificate VALUES (2, '0d017ca147df972fee47a8b7932c558d07295a92', 'web', 'command:uid:0 (root)', 1796038047000, 1803814046000, 0, '\x3082021da00302010202140d017ca147df972fee47a8b7932c558d07295a92300a06082a8648ce3d040302301a3118301606035504030c0f546573742049737375696e67204341301e170d3236313133303131323732375a170d3237303232383131323732365a301f311d301b06035504030c147265766f6b65642e6578616d706c652e746573743059301306072a8648ce3d020106082a8648ce3d030107034200049d65653df5501d423d78baf88df353677dcc37bb7f4e4042b7637f3a48013ea3e1dcd0bfb6af463d1db4dffc0080674088e9100bddb8452a11421b1402af1c35a382013a30820136300e0603551d0f0101ff040403020780301d0603551d0e04160414fa4b36eba31a3b3dc8934e8600f43ad873faceb8301f0603551d2304183016801400dddd355c933a1815c829d1f3c27567eb7af8e2301d0603551d250416301406082b0601050507030106082b06010505070302306b06082b06010505070101045f305d302706082b06010505073001861b687474703a2f2f3132372e302e302e313a31313738312f6f637370303206082b060105050730028626687474703a2f2f3132372e302e302e313a31313738312f63726c2f69737375696e672e63657230370603551d1f0430302e302ca02aa0288626687474703a2f2f3132372e302e302e313a31313738312f63726c2f69737375696e672e63726c301f0603551d110418301682147265766f6b65642e6578616d706c652e74657374', 'web');
INSERT INTO public.certificate VALUES (2, '0d017ca24a77a973f91776f570db942cdc1cd5e2', 'web', 'command:uid:0 (root)', 1796038047000, 1803814046000, 0, '\x30820217a00302010202140d017ca24a77a973f91776f570db942cdc1cd5e2300a06082a8648ce3d040302301a3118301606035504030c0f546573742049737375696e67204341301e170d3236313133303131323732375a170d3237303232383131323732365a301c311a301806035504030c1168656c642e6578616d706c652e746573743059301306072a8648ce3d020106082a8648ce3d030107034200049c8d93e8d5ab3913348743b9d0d63ba2bc0bf43c3d2303fc7b6b6adbce7da4e9dc8101bc42147c3fa50dca47972272a472847b21d7bfdf26ab52fd600c411c7ba382013730820133300e0603551d0f0101ff040403020780301d0603551d0e0416041461b73aabd04284b1b2fd99c35802bc52855eb73d301f0603551d2304183016801400dddd355c933a1815c829d1f3c27567eb7af8e2301d0603551d250416301406082b0601050507030106082b06010505070302306b06082b06010505070101045f305d302706082b06010505073001861b687474703a2f2f3132372e302e302e313a31313738312f6f637370303206082b060105050730028626687474703a2f2f3132372e302e302e313a31313738312f63726c2f69737375696e672e63657230370603551d1f0430302e302ca02aa0288626687474703a2f2f3132372e302e302e313a31313738312f63726c2f69737375696e672e63726c301c0603551d1104153013821168656c642e6578616d706c652e74657374', 'web');


--
-- Data for Name: certificate_name; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: crl; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.crl VALUES (1, 0, 1, 0, 1796038049397, 1796383649397, 0, 209, 'b574f873309c12c2b7b8af9530a02eca0f214b32e82c34cd66c41a3e94a2b6bd');
INSERT INTO public.crl VALUES (2, 0, 1, 0, 1796038049449, 1796383649449, 0, 213, '535b3dbc34ea1b1ee6b733413f913c319df0fa4d5f3b05e9504edb131d56451f');
INSERT INTO public.crl VALUES (2, 0, 2, 0, 1796038050819, 1796383650819, 2, 324, '8922b605d81fec6c98a13696b1c7cb79969bbb701aa5d9a771860575ec4b8735');
INSERT INTO public.crl VALUES (2, 0, 3, 0, 1796038051137, 1796383651137, 2, 323, '6d1b019cecc061345b063e8de6d4b0c9bd4256e07c3261507ec0cfca97a0176a');


--
-- Data for Name: expiry; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.expiry VALUES ('main', 24437, 2);
INSERT INTO public.expiry VALUES ('main', 20877, 2);


--
-- Data for Name: lease; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.lease VALUES ('crl:issuing', '', 1, 1, 6);
INSERT INTO public.lease VALUES ('crl:root', '', 1, 1, 2);


--
-- Data for Name: record; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.record VALUES ('host.crl-addresses', '1/0', 1, NULL, '{"addresses":["http://127.0.0.1:11781/crl/root.crl"]}');
INSERT INTO public.record VALUES ('host.crl-addresses', '2/0', 1, NULL, '{"addresses":["http://127.0.0.1:11781/crl/issuing.crl"]}');
INSERT INTO public.record VALUES ('protocol.crl.lists', 'root.0.complete.0', 1, NULL, 'MIHOMHcCAQEwCgYIKoZIzj0EAwIwFzEVMBMGA1UEAwwMVGVzdCBSb290IENBFw0yNjExMzAxMTI3MjlaFw0yNjEyMDQxMTI3MjlaoC8wLTAfBgNVHSMEGDAWgBS5ihVB1/yLQD5l4l6OPPsU9E1txTAKBgNVHRQEAwIBATAKBggqhkjOPQQDAgNHADBEAiBNNCUwC/w/fdHpTWL9MYSpPJKo604koMBe+pJMFfqXrgIgRaDo6n2fH93ziydm/l5X+xioann3QXJjgkoTh8ifMGU=');
INSERT INTO public.record VALUES ('.requests', '20f4ca56cec5f4071d163e45a6d2cde6', 1, 1803814050671, '{"state":"pending","pipeline":"asked","profile":"web","requester":"command:uid:0 (root)","subject":"CN=waiting.example.test waiting.example.test","csr":"46db45b699822d62d651eea9385e303ac8434a7831bf21b2f42580ba78ff3ea6","asked_at":1796038050669,"moved_at":1796038050669}');
INSERT INTO public.record VALUES ('protocol.crl.lists', 'issuing.0.complete.0', 3, NULL, 'MIIBPzCB5gIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9UZXN0IElzc3VpbmcgQ0EXDTI2MTEzMDExMjczMVoXDTI2MTIwNDExMjczMVowajAzAhQNAXyhR9+XL+5HqLeTLFWNBylakhcNMjYxMTMwMTEyNzMwWjAMMAoGA1UdFQQDCgEBMDMCFA0BfKJKd6lz+Rd29XDblCzcHNXiFw0yNjExMzAxMTI3MzBaMAwwCgYDVR0VBAMKAQagLzAtMB8GA1UdIwQYMBaAFADd3TVckzoYFcgp0fPCdWfrevjiMAoGA1UdFAQDAgEDMAoGCCqGSM49BAMCA0gAMEUCICDZGbO2mRLAdxK4rJ3gyQeNfLkf4x/7fE88zbnliS8OAiEAjGIdB/CdKC5H7h/VmYXbMzAyLvu0hxFMkDq63SGwzT0=');


--
-- Data for Name: record_index; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.record_index VALUES ('host.crl-addresses', 'authority', '1', '1/0');
INSERT INTO public.record_index VALUES ('host.crl-addresses', 'authority', '2', '2/0');
INSERT INTO public.record_index VALUES ('.requests', 'state', 'pending', '20f4ca56cec5f4071d163e45a6d2cde6');


--
-- Data for Name: revocation; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.revocation VALUES (2, 0, '0d017ca147df972fee47a8b7932c558d07295a92', 1, 1796038050363, NULL, 1803814046000, 'main', 1572864);
INSERT INTO public.revocation VALUES (2, 0, '0d017ca24a77a973f91776f570db942cdc1cd5e2', 6, 1796038050521, NULL, 1803814046000, 'main', 1638400);


--
-- Data for Name: schema_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.schema_version VALUES (1, 1);


--
-- Data for Name: signature; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.signature VALUES ('main', 196608, 1, '0d017c9f1c8fb86183bcfcbc08f424f2bf2f9003', 1796038047113, '\x304402201cab3f876f4016802e4a2f10e8b0ea6c11dd799c8726b19740c9f57e93e64214022071e7f666cfa87d44251782ba56a088be0755cb1b2d5573ec2a013f5e766e349d');
INSERT INTO public.signature VALUES ('main', 458752, 1, '0d017c9fe197938f8b7fdd88b83a8ea6a33817f9', 1796038047421, '\x30450220758284d474e5f61f9e788fb5264e529ee674e53d605340dddad1c07f0a5971be0221009fc6dc08eb222a22dfeff9be3a9f15decc4fc0b7f25fc5f52feebe1d507abd88');
INSERT INTO public.signature VALUES ('main', 655360, 2, '0d017ca0bef1bb1dc2bafb5397caeb2fcf8b4c54', 1796038048817, '\x30440220751f14a0f1d02c197f36dff09d5c3024f134e9c6a789f211a9c12378eaa51a60022065bf22d440f265ad21f2533651826066f36d3bda069f8cb748224d1046dfd9ab');
INSERT INTO public.signature VALUES ('main', 1245184, 2, '0d017ca1fd208f2f15822ccd382674a4d62e9b55', 1796038049642, '\x3045022100c643d15796bd2187e4c1d6cb20a13e080fadf3fb2438a5fc066786a1936c8d730220744d769be907b0fbf12d129b3a49ad6276df4848db3c549285abb63471fa7e6a');
INSERT INTO public.signature VALUES ('main', 1376256, 2, '0d017ca147df972fee47a8b7932c558d07295a92', 1796038049819, '\x3045022100901eb7940a5001d739d5c913a0e15fbc3af481d91e7b26e15bf7a21d8524cdaa022047a751d766858e4c353721d132e7d014140fd176f9f8a5a97181ed92ddca1426');
INSERT INTO public.signature VALUES ('main', 1507328, 2, '0d017ca24a77a973f91776f570db942cdc1cd5e2', 1796038050293, '\x304502206cb71efedf1c02551873ba7944996a31a15ad28fde85d722d99689b57e2d550f022100bb0400d888e9c625dae49c8d74da0ba67ceee23506614145a815da923b814f65');


--
-- Data for Name: writer; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.writer VALUES ('main', 35, '69254bea51a888b9e4d50c0487d2323d');


--
-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (node, sequence);


--
-- Name: authority authority_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.authority
    ADD CONSTRAINT authority_name_key UNIQUE (name);


--
-- Name: authority authority_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.authority
    ADD CONSTRAINT authority_pkey PRIMARY KEY (id);


--
-- Name: blocked_key blocked_key_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.blocked_key
    ADD CONSTRAINT blocked_key_pkey PRIMARY KEY (hash);


--
-- Name: certificate_name certificate_name_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.certificate_name
    ADD CONSTRAINT certificate_name_pkey PRIMARY KEY (name, authority, serial);


--
-- Name: certificate certificate_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (authority, serial);


--
-- Name: crl crl_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.crl
    ADD CONSTRAINT crl_pkey PRIMARY KEY (authority, shard, number);


--
-- Name: expiry expiry_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.expiry
    ADD CONSTRAINT expiry_pkey PRIMARY KEY (node, expiry_day);


--
-- Name: lease lease_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name);


--
-- Name: record_index record_index_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.record_index
    ADD CONSTRAINT record_index_pkey PRIMARY KEY (collection, field, value, item);


--
-- Name: record record_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.record
    ADD CONSTRAINT record_pkey PRIMARY KEY (collection, item);


--
-- Name: revocation revocation_node_position_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.revocation
    ADD CONSTRAINT revocation_node_position_key UNIQUE (node, "position");


--
-- Name: revocation revocation_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.revocation
    ADD CONSTRAINT revocation_pkey PRIMARY KEY (authority, shard, serial);


--
-- Name: schema_version schema_version_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (id);


--
-- Name: signature signature_authority_serial_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.signature
    ADD CONSTRAINT signature_authority_serial_key UNIQUE (authority, serial);


--
-- Name: signature signature_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.signature
    ADD CONSTRAINT signature_pkey PRIMARY KEY (node, "position");


--
-- Name: writer writer_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.writer
    ADD CONSTRAINT writer_pkey PRIMARY KEY (node);


--
-- Name: certificate_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX certificate_expiry ON public.certificate USING btree (not_after);


--
-- Name: record_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX record_expiry ON public.record USING btree (expires);


--
-- Name: record_index_item; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX record_index_item ON public.record_index USING btree (collection, item);


--
-- PostgreSQL database dump complete
--


